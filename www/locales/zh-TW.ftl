# 頁面用語。物件種類、狀態、欄位與指令維持原文。

## Page
tagline = 讓 Kubernetes、Docker Swarm 與 Compose 在同一批機器上，承受同樣的故障。
skip-editor = 跳到編輯器
skip-cluster = 跳到機器
skip-timeline = 跳到時間軸
skip-console = 跳到主控台
engine-starting = 引擎啟動中。
engine-ready = 引擎已就緒。
engine-failed = 引擎已停止：{ $reason }
worker-missing = 這個頁面建置時缺少背景程式。
nav-panels = 面板
panel-edit = 編輯
panel-watch = 觀看
panel-time = 原因
panel-console = 主控台

## Top bar
example = 範例
example-poll = 投票
example-blank = 空白
example-own = 你的檔案
language = 語言
theme = 配色
theme-auto = 自動
theme-light = 淺色
theme-dark = 深色
help = 說明
experiment = 實驗設定…
restored = 已還原上次的工作。
restored-discard = 重新開始
dismiss = 關閉

## Editor
editor = 檔案
editor-label = { $file } 的內容
editor-hint = 點選或輸入之前，Tab 會離開編輯器；先按 Escape 再按 Tab 一定會離開。
file-add = 加入檔案
file-close = 關閉 { $file }
last-valid = 沿用上一份有效的檔案
applied = 已套用
problems = 問題
problems-none = 沒有問題。
problems-count = { $count } 個問題
problem-place = { $file }，第 { $line } 行第 { $column } 欄
problem-fault = 實驗的故障清單，第 { $line } 行，第 { $column } 欄
problem-fix = 修正
not-modelled = 已接受並保留，但未模擬
drop-here = 把檔案拖放到這裡

## Planes
machines = 機器
plane-kubernetes = Kubernetes
plane-swarm = Docker Swarm
plane-compose = Compose
plane-kubernetes-kind = 宣告式
plane-swarm-kind = 命令式前端
plane-compose-kind = 單一主機
plane-empty = 這個編排器沒有輸入檔。
converged = 已收斂
working = 處理中
node-word = 節點
host-word = 主機
machine-lost = 失聯
machine-powered = 供電中
machine-units = { $machine }：{ $state }，{ $count } 個單元
control-plane = 控制平面
manager = 管理節點
requested = 已要求：CPU { $cpu } %，記憶體 { $memory } %
cpu = CPU
memory = 記憶體
unplaced = 尚未分配機器
kill = 斷電
kill-machine = 讓 { $machine } 在所有編排器上斷電
heal = 復原
heal-machine = 復原 { $machine }
unit-label = { $name }：{ $state }
service-summary = { $name }：{ $desired } 個中 { $ready } 個就緒，{ $serving } 個服務中
serving-now = 目前回應 { $percent }
availability = 開始至今 { $percent }
nobody-asks = 無人請求
ready-of = { $ready }/{ $desired } 就緒
grid-help = 方向鍵在機器與單元間移動；Delete 使其故障。

## States
state-ready = 就緒
state-progressing = 進行中
state-pending = 等待中
state-terminating = 終止中
state-failed = 失敗
state-unknown = 失聯
state-completed = 已完成
legend = 狀態

## Charts
charts = 圖表
chart-service = 服務
chart-title = { $plane } 上的 { $service }：副本數與獲得回應的請求隨時間變化
chart-desired = 期望
chart-ready = 就緒
chart-answered = 回應
chart-none = 這裡沒有這個服務。
chart-now = { $plane }：期望 { $desired }，就緒 { $ready }，回應 { $answered }

## Timeline
timeline = 時間軸
play = 播放
pause = 暫停
step-back = 上一個事件
step-forward = 下一個事件
to-start = 回到開頭
to-end = 到最新時間
fork = 在此分岔
branch = 分支
speed = 速度
time = 時間
time-text = { $time }，{ $events }
no-faults = 尚無故障
speed-times = { $speed }×
seeking = 前往中…

## Faults
faults = 故障
fault-kill = 機器斷電
fault-target = 機器
fault-heal-all = 全部復原
fault-detected = { $span } 後察覺
fault-not-detected = 尚未察覺
fault-recovered = { $span } 後恢復原有服務
fault-not-recovered = 尚未恢復原有服務
fault-not-applicable = 這裡沒有這個對象
fault-scheduled = 於 { $time }
fault-list-empty = 尚無故障。
machine-lost-said = { $machine } 失聯。
machine-back-said = { $machine } 恢復供電。
ready-said = { $plane }：{ $desired } 個中 { $ready } 個就緒。

## Events and causes
events = 事件
events-empty = 尚未發生任何事。
why = 為什麼？
why-hint = 選擇一個事件、pod、task 或容器，看它因何而起。
why-none = 沒有相關紀錄。
why-wait = { $span } 之後
why-rule = 起因於 { $rule }
close = 關閉

## Console
console = 主控台
console-label = 主控台指令
console-hint = kubectl、docker、host 與 sim 指令，例如：kubectl get pods
console-run = 執行
console-empty = 尚未執行任何指令。
exit-code = 結束代碼 { $code }

## Experiment dialog
experiment-title = 實驗設定
experiment-files = 這台電腦上的檔案
experiment-folder = 整個資料夾
experiment-paste = 或貼上文字
experiment-paste-hint = 多個檔案：每個檔案以一行「# file: 檔名」開頭。
experiment-nodes = 工作機器數
experiment-seed = 種子
experiment-faults = 故障，一行一個
experiment-faults-hint = 例如：node-crash of:poll at 60s for 2m
experiment-length = 長度（秒）
experiment-start = 重新開始實驗
experiment-add = 加入現有檔案
cancel = 取消
download = 下載檔案

## Help
help-title = 按鍵
help-letters = 單一字母按鍵在文字欄位以外有效。
help-keys-on = 單一字母按鍵
help-space = 播放或暫停
help-arrows = 上一個、下一個事件；加 Shift 為 10 秒
help-home = 開頭、最新時間
help-brackets = 上一個、下一個故障
help-fork = 在此分岔
help-speed = 減速、加速
help-kill = 讓選取的機器斷電；h 復原
help-delete = 讓焦點所在的機器、pod、task 或容器故障
help-panels = 編輯器、機器、時間軸、主控台
help-apply = 立即檢查並套用
help-why = 說明焦點所在單元的由來
help-question = 本說明

## Share
share = 分享
share-title = 分享與帶走
share-link = 此刻的連結
share-length = { $count ->
   *[other] { $count } 個字元。
}
share-long = 有些程式會截斷這麼長的連結。
share-too-long = 實驗太大，放不進連結：請改為帶走情境檔案。
share-command = 在命令列做同樣的事
share-command-hint = 在放有這些檔案的資料夾中執行。
copy = 複製
export = 帶走
export-svg = 圖表（SVG）
export-png = 圖表（PNG）
export-csv = 數據（CSV）
export-scenario = 情境（Markdown）
link-too-long = 這個連結超過 Podium 連結的長度上限。你的內容沒有變動。
link-version = 這個連結由較新的 Podium 產生。你的內容沒有變動。
link-damaged = 這個連結已損壞，無法讀取。你的內容沒有變動。
link-example = 這個連結以另一版的範例產生。你的內容沒有變動。
unkept = 瀏覽器無法保存這次的內容：內容太大，或儲存空間已滿或被封鎖。請下載檔案以保存。
crash = 引擎停止後已重新啟動。你的檔案維持原樣。
crash-link = 可重現問題的連結
embed-open = 在 Podium 開啟
open = 開啟

## Gallery
gallery = 範例集
gallery-hint = 每一個都是測試會執行的情境。開啟後停在開頭：先播放，再動手改。
gallery-open = 開啟：{ $title }
gallery-try = 試試看：{ $what }
ask-compose-order = 互相依賴的服務，Compose 依什麼順序啟動？
try-compose-order = 對最後啟動的容器開啟「為什麼？」，再讓它等待的容器故障。
ask-image-typo = 映像檔名稱打錯，服務會中斷嗎？
try-image-typo = 新的 pod 等待時，在圖表比較就緒與回應。
ask-node-loss-compose = 唯一的主機壞了，誰把容器帶回來？
try-node-loss-compose = 復原機器，看哪種重啟策略帶回了什麼。
ask-node-loss-kubernetes = 機器壞了，Kubernetes 多久才補上 pod？
try-node-loss-kubernetes = 用 ] 逐一跳到故障，在「為什麼？」讀每段等待背後的規則。
ask-node-loss-swarm = 機器壞了，為什麼 Swarm 快得多，之後又少做了什麼？
try-node-loss-swarm = 復原機器：task 會回去嗎？
ask-node-reboot = 機器重新開機，pod 會搬走嗎？
try-node-reboot = 改成斷電，比較看看。
ask-partition = 機器被隔開但仍在運作，控制平面相信什麼？
try-partition = 看分割兩側的就緒與回應。
ask-pod-kill = pod 被終止，多快會有新的？
try-pod-kill = 用 Delete 同時終止兩個 pod。
ask-port-taken = 兩個服務要同一個連接埠，誰得到它？
try-port-taken = 改掉其中一個連接埠，在主控台套用。
ask-rollout = 滾動更新的速度受什麼限制？
try-rollout = 更新到一半時弄壞新的映像檔。

## Inspector
inspect = 檢視
inspector = 檢視
anatomy = 組成
anatomy-place = 位於 { $machine }，核心 { $kernel }
anatomy-groups = 控制群組
anatomy-spaces = 命名空間（= 表示與機器共用）
anatomy-processes = 行程
anatomy-mounts = 掛載與映像層
anatomy-interfaces = 網路介面與路由
anatomy-rules = 封包過濾規則
inspector-none = 工具對此沒有資料。
console-words = 可用的字詞
console-tab = Tab 採用第一個建議；Escape 關閉建議。
fault-reboot = 重新開機
fault-partition = 隔離
fault-registry = 映像檔倉庫停擺
help-break = 讓機器重新開機、隔離機器、映像檔倉庫停擺
help-inspect = 檢視焦點所在的物件
help-present = 簡報模式
help-share = 分享
