#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
#
# compile.sh OUTPUT-FOLDER SOURCE...: the dictionary first, then the modules that include its records.
set -eu
output=$1
shift
diameterc -o "$output" "$1"
shift
erlc -Werror -I "$output" -o "$output" "$output/ro.erl" "$@"
