"""What every wing stands on: contracts, settings, dates, engines, errors, pages."""
