"""From a list of addresses to video files, with a ledger of every attempt."""
