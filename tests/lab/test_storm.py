"""Faults one after the other; `bench/storm` runs hundreds."""
import random

from lab.storm import Storm


def test_a_register_never_has_two_owners(request, lab):
    seed = random.SystemRandom().randrange(1 << 32)
    storm = Storm(lab, seed)
    request.node.haven_clusters = [storm.cluster]
    print("seed", seed)
    storm.start()
    storm.run(12)
    storm.cluster.check_end()
