"""The packed format: a folder that is a `datasets.save_to_disk` dataset, readable by `numpy.memmap` alone, and verifiable.

train/
  data-00000-of-00128.arrow       rows: an Arrow IPC stream of one uncompressed record batch (layout.row_schema)
  docs-00000.parquet              where they come from: one row per document in the shard (layout.DOCS)
  manifest.json                   sizes, hashes, byte offsets of buffers, tokenizer, packing (layout.Manifest)
  state.json, dataset_info.json   what `datasets.load_from_disk` needs
"""
