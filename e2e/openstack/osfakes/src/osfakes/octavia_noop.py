"""Octavia's no-op compute and network drivers, with their common file in the lab's own folder.

Both open the same SQLite file at a fixed place in /tmp, where two labs would meet.
"""
import sqlalchemy
from octavia.compute.drivers.noop_driver import driver as compute
from octavia.network.drivers.noop_driver import driver as network
from oslo_config import cfg

cfg.CONF.register_opts(
    [cfg.StrOpt('state_path', required=True, help='Folder of the no-op drivers\' file.')],
    group='osfakes')


def _engine(_url, **kwargs):
    return sqlalchemy.create_engine(f'sqlite:///{cfg.CONF.osfakes.state_path}/noop.db', **kwargs)


compute.create_engine = _engine
network.create_engine = _engine

ComputeDriver = compute.NoopComputeDriver
NetworkManager = network.NoopManager
