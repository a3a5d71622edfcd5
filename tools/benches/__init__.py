# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
"""The benches of tools/bench, a module each."""
