"""Files in `data/`: what is appended, what is replaced, what is asked of them.

    data/state.json                    snapshot     everything now; replaced atomically
    data/results/2026-11-21T14.jsonl   results      one line per verdict, the hour being written
    data/results/2026-11-21T13.parquet compaction   closed hours, and days of them
    data/rollups/2026-11-20.*.parquet  rollups      sums over closed days
    data/alerts.jsonl, audit.jsonl     jsonl        appended and fsynced
    data/inbox/                        inbox        commands waiting for the checker

Only the checker writes, but for the inbox. Nothing here decides anything.
"""
