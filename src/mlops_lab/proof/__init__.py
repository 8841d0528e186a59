"""An author's proof that a lab is honest: its gates, the stage they are played on, and the ledger of what was found."""
