/* SPDX-License-Identifier: Apache-2.0
 * Copyright the Tollgate authors
 *
 * What lwIP calls its heap: headers of segments and bare acknowledgements (small), neighbour
 * discovery and the like (medium), whole frames such as answers to large echo requests. */
LWIP_MALLOC_MEMPOOL_START
LWIP_MALLOC_MEMPOOL(60000, 160)
LWIP_MALLOC_MEMPOOL(512, 512)
LWIP_MALLOC_MEMPOOL(512, 1792)
LWIP_MALLOC_MEMPOOL_END
