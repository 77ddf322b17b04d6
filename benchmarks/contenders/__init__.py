"""Programs that do one workload each, with one tool each; all take the path of a scene (JSON) as their argument."""
