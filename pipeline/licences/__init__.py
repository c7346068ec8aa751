"""What is known of licences: SPDX ids and groups of them, names people give them, expressions, and the words they are told by.

Nothing here is legal advice: it tells what a file or folder says of itself.
"""
