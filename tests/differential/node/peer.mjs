// Answers questions about Nostr as nostr-tools sees it: one JSON object a line in, one a line out, in order.
import { createInterface } from "node:readline";

import { bytesToHex, hexToBytes } from "@noble/hashes/utils.js";
import * as nip44 from "nostr-tools/nip44";
import * as nip59 from "nostr-tools/nip59";
import { getEventHash, verifyEvent } from "nostr-tools/pure";

const answers = {
  hash: ({ event }) => getEventHash(event),
  verify: ({ text }) => verifyEvent(JSON.parse(text)),
  key: ({ secret, pubkey }) => bytesToHex(nip44.getConversationKey(hexToBytes(secret), pubkey)),
  encrypt: ({ text, key, nonce }) => nip44.encrypt(text, hexToBytes(key), hexToBytes(nonce)),
  decrypt: ({ payload, key }) => nip44.decrypt(payload, hexToBytes(key)),
  open: ({ text, secret }) => nip59.unwrapEvent(JSON.parse(text), hexToBytes(secret)),
  wrap: ({ event, secret, to }) => nip59.wrapEvent(event, hexToBytes(secret), to),
};

for await (const line of createInterface({ input: process.stdin })) {
  const question = JSON.parse(line);
  let answer;
  try {
    answer = { answer: answers[question.ask](question) };
  } catch (error) {
    answer = { refused: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
