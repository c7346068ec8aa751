"""What publishers offer, and where: each module reads one kind of list and names the files to fetch."""
