/* SPDX-License-Identifier: GPL-2.0-only */
/* What the channel callback makes of the host's packets: answers that found their request, or none. */
#include "driver_types.h"

static void received(struct vx_watched *call, const struct vx_watched *inner)
{
	const char *function = inner->what->function;
	const struct hv_pcibus_device *hbus = (void *)call->arguments[0];

	if (!strcmp(function, "vmbus_recvpacket_raw"))
		call->kept[0] = *(u32 *)inner->arguments[3];
	else if (!strcmp(function, "_dev_err") || !strcmp(function, "_dev_warn"))
		vx_tell(PACKET_DROPPED, vx_last_logged(), vx_relid(hbus->hdev));
	else if (!strcmp(function, "__vmbus_request_addr_match") &&
		 inner->result != VMBUS_RQST_ERROR)
		vx_tell(REQUEST_COMPLETED, NULL, vx_relid(hbus->hdev), inner->arguments[1],
			call->kept[0]);
}

VX_WATCH(hv_pci_onchannelcallback, .inner = received);
VX_WATCH(vmbus_recvpacket_raw);
VX_WATCH(__vmbus_request_addr_match);
VX_WATCH(_dev_err);
VX_WATCH(_dev_warn);
VX_WATCH(q_resource_requirements); /* which complains of an answer that was not dropped */
