"""How duplicates are told, who of them stays, and what stops a run; the stages that do it are signatures to dedupe."""
