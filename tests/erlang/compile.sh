#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copyright the Tollgate authors
#
# compile.sh OUTPUT-FOLDER DICTIONARY MODULE...: the modules include the dictionary's records.
set -eu
output=$1
shift
diameterc -o "$output" "$1"
shift
erlc -Werror -I "$output" -o "$output" "$output/ro.erl" "$@"
