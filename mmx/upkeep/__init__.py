"""Around a run: status, plan, retry, adopt, renew, prune."""
