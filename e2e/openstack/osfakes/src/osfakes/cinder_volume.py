"""A Cinder backend without disks: every operation succeeds at once and keeps no data."""
from cinder import interface
from cinder.volume import driver


@interface.volumedriver
class VolumeDriver(driver.VolumeDriver):
    VERSION = '1.0'

    def check_for_setup_error(self):
        pass

    def create_volume(self, volume):
        return {}

    def delete_volume(self, volume):
        pass

    def create_volume_from_snapshot(self, volume, snapshot):
        return {}

    def create_cloned_volume(self, volume, src_vref):
        return {}

    def clone_image(self, context, volume, image_location, image_meta, image_service):
        # "Cloned by the backend": Cinder then neither downloads the image nor converts it.
        return {}, True

    def extend_volume(self, volume, new_size):
        pass

    def create_snapshot(self, snapshot):
        return {}

    def delete_snapshot(self, snapshot):
        pass

    def ensure_export(self, context, volume):
        pass

    def create_export(self, context, volume, connector):
        pass

    def remove_export(self, context, volume):
        pass

    def initialize_connection(self, volume, connector, **kwargs):
        return {'driver_volume_type': 'fake', 'data': {'volume_id': volume.id}}

    def terminate_connection(self, volume, connector, **kwargs):
        pass

    def get_volume_stats(self, refresh=False):
        return {
            'volume_backend_name': 'fake', 'vendor_name': 'capstan', 'driver_version': self.VERSION,
            'storage_protocol': 'fake', 'total_capacity_gb': 100000, 'free_capacity_gb': 100000,
            'reserved_percentage': 0, 'QoS_support': False, 'multiattach': True,
            'thin_provisioning_support': False,
        }
