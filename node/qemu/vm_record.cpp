// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/vm_record.hpp"

#include <cerrno>
#include <unistd.h>

#include "actors/durable_file.hpp"
#include "actors/schema/json.hpp"

namespace forkfleet::qemu {

namespace {

constexpr uint64_t format_version = 1;

std::string path_in(const std::string& directory) {
  return directory + "/" + vm_record_file;
}

} // namespace

status save(const vm_record& x, const std::string& directory) {
  return write_durably(path_in(directory),
                       schema::dump(schema::to_json(x), 2) + "\n");
}

expected<vm_record> load_vm_record(const std::string& directory) {
  const auto path = path_in(directory);
  // Only what is certainly not there was never written.
  if (::access(path.c_str(), F_OK) != 0 && errno == ENOENT)
    return fail(ec::vmm_gone, path + ": no VM was started here");
  const auto text = read_small_file(path);
  if (!text)
    return tl::unexpected(text.error());
  auto value = schema::parse_json(*text);
  if (!value)
    return fail(ec::io_failed, path + ": " + value.error().message);
  auto record = schema::from_json<vm_record>(*value);
  if (!record)
    return fail(ec::io_failed, path + ": " + record.error().message);
  if (record->version != format_version)
    return fail(ec::unsupported, path + ": of another version of forkfleet");
  return record;
}

void remove_vm_record(const std::string& directory) noexcept {
  ::unlink(path_in(directory).c_str());
}

} // namespace forkfleet::qemu
