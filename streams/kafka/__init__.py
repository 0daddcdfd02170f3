"""Kafka's edge: the only folder that speaks to the client library.

Producers here are idempotent and wait for all replicas; consumers never commit by themselves.
"""

from aiokafka import ConsumerRecord as Record
from aiokafka.errors import KafkaError

from streams.kafka.cluster import HEARTBEAT_MS, SESSION_TIMEOUT_MS, Kafka, TopicsRefused, TopicState
from streams.kafka.consumer import Consumer
from streams.kafka.pace import Pace
from streams.kafka.producer import Fenced, Headers, Producer

__all__ = [
    "HEARTBEAT_MS",
    "SESSION_TIMEOUT_MS",
    "Consumer",
    "Fenced",
    "Headers",
    "Kafka",
    "KafkaError",
    "Pace",
    "Producer",
    "Record",
    "TopicState",
    "TopicsRefused",
]
