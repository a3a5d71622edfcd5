// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Any text compiles to an image that is valid, or to mistakes with places inside the text.

#include "base/check.hh"
#include "rating/compile.hh"
#include "rating/image.hh"

using namespace tollgate::rating;  // NOLINT: a fuzzer's one function lies outside

extern "C" int LLVMFuzzerTestOneInput(const tollgate::u8* data, std::size_t size) {
  const TariffText text{"f", {reinterpret_cast<const char*>(data), size}};
  const Compiled compiled = compile({&text, 1});
  tollgate::check(compiled.is_good() != compiled.image.empty(), "an image or mistakes");
  if (compiled.is_good()) {
    tollgate::check(validate(compiled.image) == ImageFault::none, "the image is valid");
  }
  for (const Diagnostic& diagnostic : compiled.diagnostics) {
    tollgate::check(!to_text(diagnostic).empty(), "a mistake has a text");
    tollgate::check(diagnostic.line <= size + 1, "a mistake lies in the file");
    tollgate::check(diagnostic.column <= size + 1, "a mistake lies in the file");
  }
  return 0;
}
