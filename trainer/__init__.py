"""A trainer that reads packed shards with torch and numpy alone, and knows nothing of the pipeline that wrote them.

    python -m trainer --data OUT/mix-v1/dataset/train --validation OUT/mix-v1/dataset/validation --model debug --out runs/first

The way of a batch: shards (memory-mapped rows) -> order (which row comes when) -> batch (labels, positions, pieces) -> model
(attention inside pieces) -> loss (sum over valid targets of the whole step) -> optim. train.py turns the wheel.
"""
