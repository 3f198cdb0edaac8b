"""Drills: real faults against a real system on practice money, judged from outside."""
