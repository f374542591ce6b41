"""Stand-ins for what the lab's OpenStack has none of.

neutron_ml2       the agents that wire ports: every port is bound and ACTIVE at once
neutron_l3        the L3 agent: a floating IP is ACTIVE while it has a port
cinder_volume     disks: every volume operation succeeds and no data is kept
octavia_noop      amphorae: Octavia's own no-op drivers, their files moved into the lab's folder
octavia_network   ditto, except that VIP ports and their security groups are real Neutron objects
octavia_ovn       the OVN provider: refuses what that one refuses
"""
