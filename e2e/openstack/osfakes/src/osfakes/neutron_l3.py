"""The stock router plugin, without an L3 agent that would report floating IPs."""
from neutron.services.l3_router import l3_router_plugin
from neutron_lib import constants


class RouterPlugin(l3_router_plugin.L3RouterPlugin):
    """A floating IP is ACTIVE while it has a port, and DOWN otherwise."""

    def create_floatingip(self, context, floatingip):
        return self._settle(context, super().create_floatingip(context, floatingip))

    def update_floatingip(self, context, id, floatingip):
        return self._settle(context, super().update_floatingip(context, id, floatingip))

    def _settle(self, context, fip):
        status = (constants.FLOATINGIP_STATUS_ACTIVE if fip.get('port_id')
                  else constants.FLOATINGIP_STATUS_DOWN)
        if fip.get('status') != status:
            self.update_floatingip_status(context, fip['id'], status)
            fip['status'] = status
        return fip
