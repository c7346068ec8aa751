"""Byte-level BPE: train it, encode with it, measure it.

vocabulary  what a tokenizer.json holds, and its fingerprint
special     special tokens, tokenizer_config.json
sandbox     chat templates in Jinja's sandbox, with bounds
templates   ChatML, Llama 3 and any other: a chat as text, and its answers
conversations  chats as ids, and which of them are learnt
excerpts    which excerpts of documents make the sample
splits      what texts are split into before anything is merged
counts      pieces and how often each occurs, over all parts
train       counts to a tokenizer.json, the same bytes every time
encode      columns of texts to ids: those of the `tokenizers` library, faster
infilling   documents told for fill-in-the-middle
evaluate    bytes per token, tokens per word, round trips, entries never used
"""
