"""What rules about SDK v1 and what was made with it say of its end (AML-25 to 29, 31)."""

V1_ENDED = "SDK v1, whose support ended on 2026-06-30"
