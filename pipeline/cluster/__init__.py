"""Jobs on several devices or hosts: who does which, who is followed how, what is done again."""
