// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sandbox_record_file.hpp"

#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"

namespace forkfleet {

expected<sandbox_record> load_sandbox_record(const std::string& directory,
                                             const sandbox_id& place) {
  const auto path = directory + "/" + sandbox_record_file;
  const auto text = read_small_file(path);
  if (!text)
    return tl::unexpected<failure>(text.error());
  const auto value = schema::parse_json(*text);
  if (!value)
    return fail(ec::io_failed, path + ": " + value.error().message);
  auto record = schema::from_json<sandbox_record>(*value);
  if (!record)
    return fail(ec::io_failed, path + ": " + record.error().message);
  if (place_of(*record) != place)
    return fail(ec::io_failed, path + " is of the sandbox " + record->id.value);
  return record;
}

} // namespace forkfleet
