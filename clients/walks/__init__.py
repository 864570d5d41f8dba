"""What Microsoft's documents walk people through, with amlguard doing what they tell people to do by hand."""
