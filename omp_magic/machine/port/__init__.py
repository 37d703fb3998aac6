"""What a system is asked, as protocols and frozen rows; no answer comes in here."""
