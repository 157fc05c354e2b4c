#!/usr/bin/env bash
# A worker made of redis-cli: `receipt_worker.sh PORT QUEUE LEASE_MS`. Each command has a connection of its own.
# What it prints is the same as of receipt_workers.py.
port=$1 queue=$2 lease=$3
while mapfile -t reply < <(redis-cli -p "$port" QUEUE POP 1 "$queue" BLOCK 1000 LEASE "$lease"); do
    # The key, the receipt, the message, how often it was delivered, how long it waited.
    ((${#reply[@]} == 5)) || continue
    echo "took ${reply[2]}"
    [[ $(redis-cli -p "$port" RPUSH "done" "${reply[2]}") == [0-9]* ]] || continue
    if [[ $(redis-cli -p "$port" QUEUE ACK "$queue" IDS 1 "${reply[1]}") == [01] ]]; then
        echo "acknowledged ${reply[2]}"
    fi
done
