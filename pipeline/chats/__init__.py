"""The shapes that conversations are published in, each read into messages."""
