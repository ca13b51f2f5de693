"""How far bodies are from the truth, in the measures of the field."""
