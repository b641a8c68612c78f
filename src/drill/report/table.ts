/** A table of a drill's own, beside the verdict: on the page, in `report.json` and on the console. */
export interface ReportTable {
  /** Unique on the page. */
  readonly id: string;
  readonly title: string;
  readonly note: string;
  /** Names of the cells. */
  readonly columns: readonly string[];
  readonly rows: readonly {
    /** Whether what the row shows is as it must be. */
    readonly ok: boolean;
    readonly cells: readonly string[];
  }[];
}
