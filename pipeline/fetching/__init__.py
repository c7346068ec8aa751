"""Files fetched from their publishers: politely, in parallel, resumed where they were cut, checked before they are used."""
