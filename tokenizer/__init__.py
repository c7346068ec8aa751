"""Byte-level BPE: train it, encode with it, measure it.

vocabulary  what a tokenizer.json holds, and its fingerprint
special     special tokens, chat template, tokenizer_config.json
train       texts to a tokenizer.json, the same bytes every time
encode      columns of texts to ids: those of the `tokenizers` library, faster
evaluate    bytes per token, tokens per word, round trips, entries never used
"""
