"""What stands between a plan and its run: findings, the plan as rows, repairs."""
