// SPDX-License-Identifier: Apache-2.0
#include "node/storage/data_directory.hpp"

#include "actors/durable_file.hpp"

namespace forkfleet {

expected<std::shared_ptr<const data_directory>>
data_directory::open(const std::string& path) {
  if (auto made = make_directories(path); !made)
    return tl::unexpected<failure>(made.error());
  auto lock = directory_lock::take(path);
  if (!lock)
    return tl::unexpected<failure>(lock.error());
  const std::shared_ptr<const data_directory> result{
    new data_directory(path, std::move(*lock))};
  for (const auto& each : {result->snapshots(), result->staging(),
                           result->operations(), result->sandboxes()})
    if (auto made = make_directory(each); !made)
      return tl::unexpected<failure>(made.error());
  if (auto synced = sync_directory(path); !synced)
    return tl::unexpected<failure>(synced.error());
  return result;
}

} // namespace forkfleet
