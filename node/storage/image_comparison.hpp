// SPDX-License-Identifier: Apache-2.0
// How the memory of two snapshots differs, page by page. What both have in
// one place of one file is not read. Knows no CAF.
#pragma once

#include "node/snapshot_store.hpp"
#include "node/storage/layered_image.hpp"
#include "node/storage/paced_file.hpp"

namespace forkfleet {

/// Reads both upwards, a bounded piece at a time. invalid_request when their
/// sizes differ; interrupted when the pace says so.
expected<image_difference>
compare_images(const layered_image& a, const layered_image& b, const pace& how);

} // namespace forkfleet
