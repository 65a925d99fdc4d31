"""Who gets what, where and when: rules, contact policy, arbitration under limits, holdout, exploration, and why."""
