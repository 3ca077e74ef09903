# The figures of bench-vm.json as a table: what, measured (median, least to greatest), the bar, whether it holds.
def all: .figures | map({(.name): .}) | add // {};
def pad($n): . + (" " * ([$n - length, 0] | max));
def round2: . * 100 | round / 100;
def spread: "\(.median) \(.unit) (\(.values | min) to \(.values | max))";
def row($what; $value; $bar; $holds): [$what, $value, $bar, (if $holds then "ok" else "MISSED" end)];

all as $f
| def m($name): $f[$name].median;
  def has_all($names): all($names[]; . as $n | $f | has($n));
  def sectors($bytes): $bytes / 4096 | ceil;
  (if has_all(["bus.download.station", "bus.blocks.station"]) then
        (m("bus.blocks.station") * m("bus.transfer")) as $floor
        | [row("bus floor, station"; "\(m("bus.download.station") / $floor | round2) times (\($f["bus.download.station"] | spread))"; "at most 1.3";
               m("bus.download.station") <= 1.3 * $floor),
           ["bus floor, dfu-util", "\(m("bus.download.dfu-util") / $floor | round2) times (\($f["bus.download.dfu-util"] | spread))", "", ""],
           row("transfers per MiB, station"; "\(m("bus.transfers.station") * 16384 / m("bus.blocks.station") | round)"; "at most 16640";
               m("bus.transfers.station") * 16384 / m("bus.blocks.station") <= 16640),
           ["transfers per MiB, dfu-util", "\(m("bus.transfers.dfu-util") * 16384 / m("bus.blocks.dfu-util") | round)", "", ""],
           row("CPU time, station to dfu-util"; "\(m("bus.cpu.station") / m("bus.cpu.dfu-util") | round2) (\(m("bus.cpu.station")) ms to \(m("bus.cpu.dfu-util")) ms)"; "at most 0.5";
               m("bus.cpu.station") <= 0.5 * m("bus.cpu.dfu-util"))]
   else [] end)
  + (if has_all(["flash.download.station", "flash.floor"]) then
        [row("bus and flash, station"; "\(m("flash.download.station") / m("flash.floor") | round2) times (\($f["flash.download.station"] | spread))"; "at most 1.10";
             m("flash.download.station") <= 1.10 * m("flash.floor")),
         ["bus and flash, dfu-util", "\(m("flash.download.dfu-util") / m("flash.floor") | round2) times (\($f["flash.download.dfu-util"] | spread))", "", ""]]
     else [] end)
  + (if has_all(["plug.plug-to-verdict.station", "plug.plug-to-verdict.dfu-util"]) then
        [row("plug to verdict, dfu-util to station"; "\(m("plug.plug-to-verdict.dfu-util") / m("plug.plug-to-verdict.station") | round2) (\($f["plug.plug-to-verdict.station"] | spread))"; "at least 5";
             m("plug.plug-to-verdict.dfu-util") >= 5 * m("plug.plug-to-verdict.station"))]
     else [] end)
  + (if has_all(["plug.own"]) then
        [row("plug to verdict, not enumeration, bus or flash"; $f["plug.own"] | spread; "at most 300000 us"; m("plug.own") <= 300000)]
     else [] end)
  + (if has_all(["hang.alone.download-median", "hang.beside.download-median"]) then
        [row("30 boards beside one that hangs"; "\(m("hang.beside.download-median") / m("hang.alone.download-median") | round2) times (\($f["hang.beside.download-median"] | spread))"; "at most 1.05";
             m("hang.beside.download-median") <= 1.05 * m("hang.alone.download-median"))]
     else [] end)
  + ([.figures[].name | capture("^many\\.(?<n>[0-9]+)\\.makespan\\.station$").n | tonumber] | sort | map(. as $n
        | "many.\($n)." as $p
        | (m($p + "flashed.station") / m($p + "makespan.station") * 60e6) as $ours
        | ((m($p + "flashed.dfu-util") // 0) / (m($p + "makespan.dfu-util") // 1) * 60e6) as $theirs
        | row("\($n) boards, flashed right"; "\(m($p + "flashed.station")) (dfu-util: \(m($p + "flashed.dfu-util") // "–"))"; "\($n)"; m($p + "flashed.station") == $n),
          row("\($n) boards, per minute"; "\($ours | round2) (dfu-util: \($theirs | round2))"; (if $n == 120 then "4 times" else "" end); $n != 120 or $ours >= 4 * $theirs),
          row("\($n) boards, slowest download to median"; "\(m($p + "download-slowest.station") / m($p + "download-median.station") | round2)"; "at most 2";
              m($p + "download-slowest.station") <= 2 * m($p + "download-median.station"))))
  | .[] | (.[0] | pad(44)) + (.[1] | pad(52)) + (.[2] | pad(16)) + .[3]
