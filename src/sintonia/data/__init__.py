"""From a brand's silos to one dated store of customers, and a person out of it again."""
