// SPDX-License-Identifier: Apache-2.0
#include "node/ledger/sandbox_look.hpp"

#include "actors/schema/json.hpp"
#include "node/storage/file.hpp"
#include "node/storage/sandbox_record_file.hpp"

namespace forkfleet {

namespace {

/// All drivers name the process in the same two fields.
qemu::process_id recorded_process(const std::string& directory) {
  const auto path = directory + "/vm.json";
  const auto text = read_small_file(path);
  const auto value =
    text ? schema::parse_json(*text) : tl::unexpected<failure>(text.error());
  if (!value || !value->is_object())
    return {};
  const auto number = [&value](const char* name) -> uint64_t {
    const auto found = value->find(name);
    return found != value->end() && found->is_number_unsigned()
             ? found->get<uint64_t>()
             : 0;
  };
  return {static_cast<pid_t>(number("pid")), number("start_ticks")};
}

} // namespace

sandbox_facts look_at_sandbox(const std::string& sandboxes,
                              const std::string& name) {
  const auto directory = sandboxes + "/" + name;
  auto result = sandbox_facts{};
  if (look_for(directory + "/" + sandbox_record_file) == presence::absent)
    return result;
  result.has_record = true;
  const auto record = load_sandbox_record(directory, {name});
  if (record)
    result.space = record->network.space;
  else
    result.damage = record.error().message;
  result.vm = recorded_process(directory);
  return result;
}

} // namespace forkfleet
