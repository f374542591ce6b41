"""A provider called "ovn": no-op machines as with amphora, but it refuses what the OVN provider (11.0.0) refuses."""
from octavia.api.drivers.amphora_driver.v2 import driver
from octavia_lib.api.drivers import data_models, exceptions

PROTOCOLS = ('TCP', 'UDP', 'SCTP')
ALGORITHMS = ('SOURCE_IP_PORT', 'SOURCE_IP')
MONITORS = ('TCP', 'UDP-CONNECT')


def _refuse(what):
    message = f'OVN provider does not support {what}'
    raise exceptions.UnsupportedOptionError(user_fault_string=message, operator_fault_string=message)


def _given(value):
    return not isinstance(value, data_models.UnsetType)


class OvnLikeProvider(driver.AmphoraProviderDriver):
    def _validate_pool_algorithm(self, pool):
        if _given(pool.lb_algorithm) and pool.lb_algorithm not in ALGORITHMS:
            _refuse(f'{pool.lb_algorithm} algorithm')

    def _validate_listener_protocol(self, listener):
        if _given(listener.protocol) and listener.protocol not in PROTOCOLS:
            _refuse(f'{listener.protocol} protocol')

    def listener_create(self, listener):
        self._validate_listener_protocol(listener)
        self._validate_cidrs(listener)
        super().listener_create(listener)

    def listener_update(self, old_listener, new_listener):
        self._validate_cidrs(new_listener)
        super().listener_update(old_listener, new_listener)

    def health_monitor_create(self, healthmonitor):
        if healthmonitor.type not in MONITORS:
            _refuse(f'{healthmonitor.type} health monitor type')
        super().health_monitor_create(healthmonitor)

    def l7policy_create(self, l7policy):
        _refuse('L7 policies')

    def _validate_cidrs(self, listener):
        if _given(listener.allowed_cidrs) and listener.allowed_cidrs:
            _refuse('allowed_cidrs option')
