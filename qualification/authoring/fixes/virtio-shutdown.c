// SPDX-License-Identifier: GPL-2.0
/* A bus gets a shutdown function: one pointer of live data, set and unset by callbacks. Beyond it the fix has nothing but the function. */
#include <linux/virtio.h>
#include <linux/virtio_config.h>
#include <suture.h>

/* Static in drivers/virtio/virtio.c. */
extern struct bus_type virtio_bus;
SUTURE_SYMBOL(virtio_bus, "virtio", "drivers/virtio/virtio.c", virtio_bus);

static void quiesce(struct device *d)
{
	struct virtio_device *dev = dev_to_virtio(d);

	if (!d->driver)
		return;
	virtio_break_device(dev);
	virtio_synchronize_cbs(dev);
	dev->config->reset(dev);
}

static void set_shutdown(struct klp_object *obj)
{
	cmpxchg(&virtio_bus.shutdown, NULL, quiesce);
}
/* It needs both virtio, which has the bus, and virtio_ring, which has what stops the devices. */
SUTURE_POST_PATCH("virtio_pci", set_shutdown);

static void unset_shutdown(struct klp_object *obj)
{
	cmpxchg(&virtio_bus.shutdown, quiesce, NULL);
}
SUTURE_PRE_UNPATCH("virtio_pci", unset_shutdown);
