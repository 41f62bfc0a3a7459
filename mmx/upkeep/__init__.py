"""Around a run: what is done, what the next run would cost, what to keep, adopt or renew."""
