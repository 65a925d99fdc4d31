"""Rounds of decisions: eligibility, worth, allocation of scarce contacts, send times, and the reasons."""
