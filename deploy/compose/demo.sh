#!/usr/bin/env bash
# Brings the multi-process form up and plays one order through it, from the listing to the review.
#
# Everything stays up afterwards; `docker compose down` stops it, `docker compose down --volumes` forgets it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# The story checks its total to the sat, so its rate is fixed here and not taken from .env.
export NCC_RATES=USD=1000

health_of() { docker inspect --format '{{.State.Health.Status}}' "$(docker compose ps --quiet "$1")"; }

./make-secrets.sh
docker compose up --build --detach
for role in ingest intake decider views payments publisher metrics api; do
    until [ "$(health_of "$role")" = healthy ]; do
        if [ "$SECONDS" -gt 900 ]; then
            echo "demo    $role does not answer: see \`docker compose logs $role\`" >&2
            exit 1
        fi
        sleep 2
    done
done
docker compose run --rm --entrypoint python operator -c '
import asyncio
from pathlib import Path
from services.cli.client import Stack
from services.demo.story import play
print(asyncio.run(play(Stack(Path("/var/lib/ncc")))))
'
