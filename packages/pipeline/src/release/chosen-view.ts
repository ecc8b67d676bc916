/** A scratch view of the source that shows one choice of units after the other, and what compiles in it. */
import { ContentCompiler, type KernelContext, type Overlay, type SourceView } from "@suture/kbuild";
import type { Task } from "@suture/task";
import { RoomViews } from "../run/recompile-with-room.ts";

export class ChosenView {
  readonly view: SourceView;
  readonly compiler: ContentCompiler;
  readonly #kernel: KernelContext;
  #overlay: Overlay;
  #room: RoomViews | undefined;

  private constructor(kernel: KernelContext, view: SourceView, overlay: Overlay) {
    this.view = view;
    this.#kernel = kernel;
    this.#overlay = overlay;
    this.compiler = new ContentCompiler(view, kernel.target.tree, kernel.tools);
  }

  /** @param overlay all files that any choice of units changes */
  static async make(task: Task, kernel: KernelContext, overlay: Overlay): Promise<ChosenView> {
    return new ChosenView(kernel, await kernel.changed(task, overlay), overlay);
  }

  /** One more, for other choices. */
  async another(): Promise<ChosenView> {
    return new ChosenView(this.#kernel, await this.view.another(this.#overlay), this.#overlay);
  }

  get overlay(): Overlay {
    return this.#overlay;
  }

  /** Where objects of this choice are compiled with room. */
  get room(): RoomViews {
    this.#room ??= new RoomViews(this.#kernel, this.#overlay);
    return this.#room;
  }

  /** @returns the paths whose text is another now */
  async show(overlay: Overlay): Promise<ReadonlySet<string>> {
    const changed = new Set<string>();
    for (const path of new Set([...this.#overlay.keys(), ...overlay.keys()])) {
      const text = overlay.get(path);
      if (this.#overlay.get(path) === text) continue;
      changed.add(path);
      await this.view.rewrite(path, text);
    }
    this.#overlay = overlay;
    if (changed.size > 0) await this.#disposeRoom();
    return changed;
  }

  async dispose(): Promise<void> {
    await this.#disposeRoom();
    await this.view.dispose();
  }

  async #disposeRoom(): Promise<void> {
    await this.#room?.dispose();
    this.#room = undefined;
  }
}
