/* SPDX-License-Identifier: Apache-2.0
 * Copyright the Tollgate authors
 *
 * The compiler and the platform, as lwIP wants to know them. */
#ifndef TOLLGATE_LWIP_CC_H
#define TOLLGATE_LWIP_CC_H

#include <stdint.h>
#include <sys/types.h>

#define BYTE_ORDER LITTLE_ENDIAN
#define LWIP_NO_UNISTD_H 1

#ifdef __cplusplus
extern "C" {
#endif

uint32_t tollgate_lwip_random(void);
uint16_t tollgate_lwip_checksum(const void* data, int length);
void tollgate_lwip_assert_failed(const char* what, const char* file, int line)
    __attribute__((noreturn, cold));

#ifdef __cplusplus
}
#endif

#define LWIP_RAND() tollgate_lwip_random()
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(what) tollgate_lwip_assert_failed(what, __FILE__, __LINE__)

#endif
