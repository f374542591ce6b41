"""Real VIP ports in Neutron; everything on the amphora's side is Octavia's own no-op driver.

With the stock no-op network driver a VIP port does not exist, so no floating IP could point to it.
"""
from octavia.common import data_models
from octavia.network import base
from octavia.network.drivers.neutron.allowed_address_pairs import AllowedAddressPairsDriver

from osfakes.octavia_noop import NetworkManager


class NetworkDriver(AllowedAddressPairsDriver):
    def __init__(self):
        super().__init__()
        self.noop = NetworkManager()

    # An amphora's ports and networks exist only in the no-op driver; users' lookups carry a context and stay strict.

    def get_port(self, port_id, context=None):
        try:
            return super().get_port(port_id, context=context)
        except base.PortNotFound:
            if context is not None:
                raise
            return self.noop.get_port(port_id)

    def get_network(self, network_id, context=None):
        try:
            return super().get_network(network_id, context=context)
        except base.NetworkNotFound:
            if context is not None:
                raise
            return self.noop.get_network(network_id)

    def plug_aap_port(self, load_balancer, vip, amphora, subnet):
        plugged = self.noop.plug_aap_port(load_balancer, vip, amphora, subnet)
        return data_models.Amphora(
            id=plugged.id, compute_id=plugged.compute_id, vrrp_ip=plugged.vrrp_ip,
            ha_ip=vip.ip_address, vrrp_port_id=plugged.vrrp_port_id, ha_port_id=vip.port_id)

    def create_port(self, *args, **kwargs):
        return self.noop.create_port(*args, **kwargs)

    def get_network_configs(self, loadbalancer, amphora=None):
        return self.noop.get_network_configs(loadbalancer, amphora)

    def get_plugged_networks(self, compute_id):
        return self.noop.get_plugged_networks(compute_id)

    def plug_fixed_ip(self, port_id, subnet_id, ip_address=None):
        return self.noop.plug_fixed_ip(port_id, subnet_id, ip_address)

    def unplug_fixed_ip(self, port_id, subnet_id):
        return self.noop.unplug_fixed_ip(port_id, subnet_id)

    def unplug_network(self, compute_id, network_id):
        self.noop.unplug_network(compute_id, network_id)

    # Nothing is plugged, so there is nothing to change or to take out again.

    def update_aap_port_sg(self, load_balancer, amphora, vip):
        pass

    def unplug_aap_port(self, vip, amphora, subnet):
        pass

    def unplug_vip(self, load_balancer, vip):
        pass

    def failover_preparation(self, amphora):
        pass

    def plug_port(self, amphora, port):
        pass

    def set_port_admin_state_up(self, port_id, state):
        pass
